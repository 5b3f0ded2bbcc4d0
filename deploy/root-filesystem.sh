#!/bin/sh
# root-filesystem.sh BINARY FOLDER: makes the whole file system of an image in which BINARY runs as
# /usr/local/bin/tributary: the libraries that it is linked with, root certificates, and a user. There is no shell in it.
set -eu
binary=$1
folder=$2

mkdir -p "$folder/usr/local/bin" "$folder/etc" "$folder/tmp" "$folder/var/lib/tributary"
cp "$binary" "$folder/usr/local/bin/tributary"

# Libraries are found by the loader at the paths that ldd tells; the loader itself is a line without `=>`.
ldd "$binary" | awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// { print $1 }' | while read -r library; do
  mkdir -p "$folder$(dirname "$library")"
  cp -L "$library" "$folder$library"
done

# OpenSSL (librdkafka) and rustls look for root certificates at these places.
mkdir -p "$folder/etc/ssl/certs" "$folder/usr/lib/ssl"
cp -L /etc/ssl/certs/ca-certificates.crt "$folder/etc/ssl/certs/ca-certificates.crt"
ln -s /etc/ssl/certs/ca-certificates.crt "$folder/usr/lib/ssl/cert.pem"
ln -s /etc/ssl/certs "$folder/usr/lib/ssl/certs"

printf 'root:x:0:0:root:/:/sbin/nologin\ntributary:x:10001:10001::/var/lib/tributary:/sbin/nologin\n' >"$folder/etc/passwd"
printf 'root:x:0:\ntributary:x:10001:\n' >"$folder/etc/group"
printf 'hosts: files dns\n' >"$folder/etc/nsswitch.conf"
chmod 1777 "$folder/tmp"
[ "$(id -u)" != 0 ] || chown -R 10001:10001 "$folder/var/lib/tributary"
