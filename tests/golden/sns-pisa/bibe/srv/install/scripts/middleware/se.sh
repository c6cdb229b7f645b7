#!/bin/sh
# Middleware step "se": replace by what your site installs.
set -eu
logger -t 3rc-middleware "se on $(hostname)"
