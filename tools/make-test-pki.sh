#!/bin/sh
# tools/make-test-pki.sh DIR [NAME...] - a throw-away PKI for tests and the demo, never for production:
#   ca.pem ca.key           an authority
#   server.pem server.key   signed by it, for localhost, 127.0.0.1, ::1 and each NAME (a host name or an address)
#   client.pem client.key   signed by it, for TLS client authentication
#   expired.pem expired.key like server.pem, but its time is over
#   other-ca.pem ...        an authority that nobody trusts
# Keys are readable by their owner only. Files that exist are replaced.
set -eu

[ $# -ge 1 ] || { echo "usage: make-test-pki.sh DIR [NAME...]" >&2; exit 2; }
dir=$1
shift
mkdir -p "$dir"
cd "$dir"
umask 077
log=$(mktemp)
trap 'rm -f "$log" ./*.csr ./*.ext' EXIT

run() {
	openssl "$@" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
}

names="DNS:localhost,IP:127.0.0.1,IP:::1"
for name; do
	case $name in
	*:*) names="$names,IP:$name" ;;
	*[!0-9.]*) names="$names,DNS:$name" ;;
	*) names="$names,IP:$name" ;;
	esac
done

authority() { # FILE NAME
	run req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$2" \
		-addext "keyUsage=critical,keyCertSign,cRLSign" -keyout "$1.key" -out "$1.pem"
}

leaf() { # FILE NAME USAGE DAYS
	run req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" -keyout "$1.key" -out "$1.csr"
	printf 'basicConstraints=CA:FALSE\nextendedKeyUsage=%s\nsubjectAltName=%s\n' "$3" "$names" >"$1.ext"
	run x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -set_serial "0x$(openssl rand -hex 8)" -days "$4" \
		-extfile "$1.ext" -out "$1.pem"
}

authority ca "Earshot test authority"
authority other-ca "Somebody else's authority"
leaf server "Earshot test collector" serverAuth 30
leaf expired "Earshot test collector, expired" serverAuth -1
leaf client "Earshot test sensor" clientAuth 30
chmod 644 ./*.pem
