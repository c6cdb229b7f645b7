#!/bin/sh
set -e
yum -y install ig_base
