#!/bin/sh
# Middleware step "ce": replace by what your site installs.
set -eu
logger -t 3rc-middleware "ce on $(hostname)"
