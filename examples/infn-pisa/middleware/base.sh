#!/bin/sh
# What every grid machine has first: the certificates of the certification authorities.
set -eu
yum -y install lcg-CA
