#!/bin/sh
# Middleware step "base": replace by what your site installs.
set -eu
logger -t 3rc-middleware "base on $(hostname)"
