#!/bin/sh
# The database server of the catalogues and of the web pages.
set -eu
yum -y install mysql-server
chkconfig mysqld on
service mysqld start
