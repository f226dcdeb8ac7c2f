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

# OpenSSL 3.4 and later refuse an end before the beginning, but take both dates.
over="-days -1"
if openssl x509 -help 2>&1 | grep -q not_after; then over="-not_before 20200101000000Z -not_after 20200201000000Z"; fi

leaf() { # FILE NAME USAGE LIFE
	run req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" -keyout "$1.key" -out "$1.csr"
	printf 'basicConstraints=CA:FALSE\nextendedKeyUsage=%s\nsubjectAltName=%s\n' "$3" "$names" >"$1.ext"
	# shellcheck disable=SC2086 # an option and its value, or two
	run x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -set_serial "0x$(openssl rand -hex 8)" $4 \
		-extfile "$1.ext" -out "$1.pem"
}

authority ca "Earshot test authority"
authority other-ca "Somebody else's authority"
leaf server "Earshot test collector" serverAuth "-days 30"
leaf expired "Earshot test collector, expired" serverAuth "$over"
leaf client "Earshot test sensor" clientAuth "-days 30"
chmod 644 ./*.pem
