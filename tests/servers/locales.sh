#!/usr/bin/env bash
# Prints a folder of compiled locales for LOCPATH: money has three decimals in ar_BH and ar_KW, none in ja_JP.
# A minimal system has none of them, and installing them for the whole system is not for a test to do.
if [ "$(id -u)" = 0 ] && [ -z "${TRIBUTARY_CACHE:-}" ]; then
  # the server that reads them does not run as root, whose home is closed to it
  TRIBUTARY_CACHE=/var/cache/tributary
fi
. "$(dirname "$0")/ensure.sh"

compile() {
  local name
  for name in ar_BH ar_KW ja_JP; do
    # it also fails for mere warnings, with the locale written
    localedef --no-archive --force --inputfile="$name" --charmap=UTF-8 "$1/$name.utf8" || [ -e "$1/$name.utf8/LC_MONETARY" ]
  done
}

if [ ! -d "$cache/locales" ]; then
  [ -e /usr/share/i18n/locales/ar_KW ] || apt_install locales || die "the sources of locales are missing and could not be installed"
  need localedef libc-bin
  build_once locales compile
fi
echo "$cache/locales"
