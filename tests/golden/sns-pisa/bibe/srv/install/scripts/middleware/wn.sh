#!/bin/sh
# Middleware step "wn": replace by what your site installs.
set -eu
logger -t 3rc-middleware "wn on $(hostname)"
