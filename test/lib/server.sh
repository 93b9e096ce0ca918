# shellcheck shell=bash
#
# server.sh: a throw-away PostgreSQL server with xsell, for tests, demo and
# benchmarks.  Source it, and:
#
#	set -euo pipefail
#	. "$(dirname "$0")/../test/lib/server.sh"
#	xs_setup demo								# all of what follows, in this order
#	  xs_begin demo [package ...]				# a private directory; packages from apt,
#												# VERSION in their names being PostgreSQL's
#	  xs_make_prefix							# a private copy of the installed PostgreSQL
#	  xs_build									# builds the repository's copy into it
#	  xs_start_server [setting=value ...]		# initdb, start, database "xsell"
#	xs_as psql -f demo/load.sql					# run anything as the server's user
#
# Afterwards: the working directory is a copy of the repository, at $XS_TREE,
# owned by a user who is not root; PATH, PG_CONFIG, PGHOST, PGPORT, PGUSER and
# PGDATABASE lead to the private server.  It listens on a socket in the private
# directory only, so that any number of these run side by side.  On exit, also
# by Ctrl-C, the server stops and the directory goes; XS_KEEP=1 keeps the
# directory.  Nothing outside of it is written: not the clone, not the system's
# PostgreSQL.  A server that apt starts when it installs PostgreSQL is not used.
#
# From the environment: PG_CONFIG (which PostgreSQL to copy; default: the
# oldest supported one that is complete), TMPDIR, XS_KEEP, CI (warnings are
# errors).

XS_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
XS_TMP=			# the private directory
XS_USER=		# who runs the server; empty: whoever runs this
XS_TREE=		# the repository's copy
XS_CHILD=		# what xs_as waits for

xs_say() { printf '%s\n' "$*" >&2; }
xs_die() { xs_say "$(basename "$0"): $*"; exit 1; }

# ---------------------------------------------------------------- packages --

# PostgreSQL is complete if server, headers and test programs are there.
xs_is_complete() {
	[ -x "$1" ] && [ -x "$("$1" --bindir)/postgres" ] &&
		[ -x "$("$1" --bindir)/initdb" ] && [ -f "$("$1" --pgxs)" ] &&
		[ -f "$("$1" --includedir-server)/postgres.h" ]
}

# Sets PG_CONFIG to the PostgreSQL to use, or fails.
xs_find_postgres() {
	local candidate
	if [ -n "${PG_CONFIG:-}" ]; then
		candidate=$(command -v "$PG_CONFIG") || xs_die "no such program: PG_CONFIG=$PG_CONFIG"
		xs_is_complete "$candidate" ||
			xs_die "$candidate belongs to no complete PostgreSQL: server and development files are needed"
		PG_CONFIG=$candidate
		return 0
	fi
	for candidate in /usr/lib/postgresql/{15,14,16,17,18}/bin/pg_config \
		"$(command -v pg_config || true)"; do
		if xs_is_complete "$candidate"; then
			PG_CONFIG=$candidate
			return 0
		fi
	done
	return 1
}

# Prints those of the packages that are not installed.
xs_missing_packages() {
	local package
	for package in "$@"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
			printf '%s\n' "$package"
	done
}

xs_apt() {
	local run=()
	[ "$(id -u)" = 0 ] || run=(sudo)
	"${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y "$@" </dev/null
}

# Installs what is missing, where there is apt; elsewhere says what is needed.
xs_ensure_packages() {
	local missing version=15
	if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
		if ! command -v make cc >/dev/null || ! xs_find_postgres; then
			xs_die "install make, a C compiler and PostgreSQL 14 to 18 with its development files; for the tests also pgTAP and the Perl modules IPC::Run and Test::More"
		fi
		return
	fi
	if xs_find_postgres; then
		version=$("$PG_CONFIG" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
	else
		set -- postgresql-15 postgresql-server-dev-15 "$@"
	fi
	missing=$(xs_missing_packages gcc libc6-dev make "${@//VERSION/$version}")
	missing=$(tr -s ' \n' '  ' <<<"$missing")
	missing=${missing# }
	missing=${missing% }
	if [ -n "$missing" ]; then
		[ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
			xs_die "as root: apt-get install $missing"
		xs_say "installing $missing"
		# shellcheck disable=SC2086
		{ xs_apt update && xs_apt install --no-install-recommends $missing; } >"$XS_TMP/apt.log" 2>&1 ||
			{ tail -n 20 "$XS_TMP/apt.log" >&2; xs_die "apt-get could not install $missing"; }
	fi
	xs_find_postgres || xs_die "no complete PostgreSQL found, although its packages are installed"
}

# ------------------------------------------------- directory, user, cleanup --

# Runs a command as the server's user.  It runs in the background, because bash
# acts on a signal at once only while it waits, and in a process group of its
# own, by which all of it can be ended.
xs_as() {
	local status=0
	if [ -n "$XS_USER" ]; then
		setpriv --reuid="$XS_USER" --regid="$(id -g "$XS_USER")" --clear-groups \
			setsid env HOME="$XS_TMP" USER="$XS_USER" LOGNAME="$XS_USER" "$@" <&0 &
	else
		setsid "$@" <&0 &
	fi
	XS_CHILD=$!
	wait "$XS_CHILD" || status=$?
	XS_CHILD=
	return "$status"
}

# Processes that run a program of the private prefix: servers that a killed test
# has left, mainly.
xs_processes() {
	local process
	for process in /proc/[0-9]*; do
		case $(readlink "$process/exe" 2>/dev/null) in
			"$XS_TMP"/*) printf '%s\n' "${process#/proc/}" ;;
		esac
	done
}

xs_kill_processes() {
	local signal pid pids
	for signal in TERM KILL; do
		mapfile -t pids < <(xs_processes)
		[ "${#pids[@]}" -gt 0 ] || return 0
		for pid in "${pids[@]}"; do kill -s "$signal" "$pid" 2>/dev/null || true; done
		sleep 0.3
	done
}

xs_cleanup() {
	local status=$?
	trap - EXIT
	trap '' INT TERM HUP
	cd /
	if [ -n "$XS_TMP" ]; then
		if [ -n "$XS_CHILD" ]; then
			kill -- "-$XS_CHILD" 2>/dev/null || true
			wait "$XS_CHILD" 2>/dev/null || true
		fi
		if declare -F xs_at_exit >/dev/null; then xs_at_exit "$status"; fi
		xs_stop_server
		xs_kill_processes
		if [ "${XS_KEEP:-}" = 1 ]; then
			xs_say "kept: $XS_TMP"
		else
			rm -rf "$XS_TMP"
		fi
	fi
	exit "$status"
}

xs_begin() {
	local name=$1 parent=${TMPDIR:-/tmp}
	shift
	# Socket paths are limited to some hundred bytes; the server's user must get there.
	if [ "${#parent}" -gt 40 ] || [ ! -w "$parent" ]; then parent=/tmp; fi
	# Nothing of the caller's own server or make may leak in.
	unset "${!PG@}" MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES
	[ -z "$XS_PG_CONFIG" ] || PG_CONFIG=$XS_PG_CONFIG
	export LC_ALL=C.UTF-8

	trap xs_cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
	XS_TMP=$(mktemp -d "$(cd "$parent" && pwd -P)/xsell-$name.XXXXXX")
	xs_ensure_packages "$@"
	if [ "$(id -u)" = 0 ]; then
		XS_USER=nobody
		if id -u postgres >/dev/null 2>&1; then XS_USER=postgres; fi
		chown "$XS_USER:" "$XS_TMP"
		if ! (cd / && xs_as test -w "$XS_TMP"); then
			rm -rf "$XS_TMP"
			XS_TMP=$(mktemp -d "/tmp/xsell-$name.XXXXXX")
			chown "$XS_USER:" "$XS_TMP"
		fi
	fi
	mkdir -m 1777 "$XS_TMP/tmp"
	export TMPDIR=$XS_TMP/tmp
}
XS_PG_CONFIG=${PG_CONFIG:-}

# ------------------------------------------------------ prefix, build, server --

# Copies PostgreSQL to $XS_TMP/pg, keeping the places of its directories to each
# other: from these its programs find everything, also where to install.
xs_make_prefix() {
	local bin lib share include base program
	bin=$("$PG_CONFIG" --bindir)
	lib=$("$PG_CONFIG" --pkglibdir)
	share=$("$PG_CONFIG" --sharedir)
	include=$("$PG_CONFIG" --includedir-server)
	base=$(xs_common_directory "$bin" "$lib" "$share")

	mkdir -p "$XS_TMP/pg${bin#"$base"}" "$XS_TMP/pg${lib#"$base"}" "$XS_TMP/pg${share#"$base"}"
	for program in "$bin"/{pg_*,pgbench,postgres,initdb,psql,createdb,dropdb,createuser,dropuser,vacuumdb,reindexdb,clusterdb}; do
		[ ! -f "$program" ] || cp -L "$program" "$XS_TMP/pg${bin#"$base"}"
	done
	cp -R "$lib/." "$XS_TMP/pg${lib#"$base"}"
	cp -R "$share/." "$XS_TMP/pg${share#"$base"}"
	find "$XS_TMP/pg" -name 'xsell*' -prune -exec rm -rf {} +		# one that is installed there

	PG_CONFIG=$XS_TMP/pg${bin#"$base"}/pg_config
	[ "$("$PG_CONFIG" --bindir --pkglibdir --sharedir | xargs)" = \
		"$XS_TMP/pg${bin#"$base"} $XS_TMP/pg${lib#"$base"} $XS_TMP/pg${share#"$base"}" ] ||
		xs_die "this PostgreSQL cannot be relocated: $bin, $lib, $share"
	program=$("$PG_CONFIG" --includedir-server)
	if [ ! -e "$program" ]; then
		mkdir -p "$(dirname "$program")"
		ln -s "$include" "$program"
	fi
	export PG_CONFIG
	PATH=$XS_TMP/pg${bin#"$base"}:$PATH
}

xs_common_directory() {
	local base=$1 other
	for other in "$@"; do
		while [ "$base" != / ] && [ "${other#"$base"/}" = "$other" ]; do base=$(dirname "$base"); done
	done
	printf '%s\n' "${base%/}"
}

# Builds the repository's copy without bitcode, and installs it into the prefix.
xs_build() {
	XS_TREE=$XS_TMP/xsell
	mkdir "$XS_TREE"
	tar -C "$XS_ROOT" --exclude=./.git -cf - . | tar -C "$XS_TREE" -xf -
	if [ -n "$XS_USER" ]; then chown -R "$XS_USER:" "$XS_TMP"; fi
	cd "$XS_TREE" || exit
	{
		xs_as make -s clean &&
		xs_as make -s -j"$(nproc)" with_llvm=no "PG_CONFIG=$PG_CONFIG" &&
		xs_as make -s install with_llvm=no "PG_CONFIG=$PG_CONFIG"
	} >"$XS_TMP/build.log" 2>&1 || { cat "$XS_TMP/build.log" >&2; xs_die "xsell does not build"; }
	if grep -q 'warning:' "$XS_TMP/build.log"; then cat "$XS_TMP/build.log" >&2; fi
}

# Creates and starts the server; each argument is a line of its configuration.
# shellcheck disable=SC2120
xs_start_server() {
	mkdir "$XS_TMP/socket"
	if [ -n "$XS_USER" ]; then chown "$XS_USER:" "$XS_TMP/socket"; fi
	# not "xsell": the schema of the user's name comes first in search_path
	export PGHOST=$XS_TMP/socket PGPORT=5432 PGUSER=postgres PGDATABASE=xsell
	xs_as initdb -D "$XS_TMP/data" -U "$PGUSER" -A trust -E UTF8 --no-locale --no-sync \
		>"$XS_TMP/initdb.log" 2>&1 || { cat "$XS_TMP/initdb.log" >&2; xs_die "initdb failed"; }
	{
		printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '$PGHOST'" \
			"fsync = off" "synchronous_commit = off" "full_page_writes = off" \
			"max_wal_size = 4GB" "timezone = 'UTC'" "log_timezone = 'UTC'" \
			"max_prepared_transactions = 10" "log_line_prefix = '%m [%p] %a '" \
			"$@"
	} >>"$XS_TMP/data/postgresql.conf"
	xs_as pg_ctl -D "$XS_TMP/data" -l "$XS_TMP/server.log" -w -s start ||
		{ cat "$XS_TMP/server.log" >&2; xs_die "the server does not start"; }
	xs_as createdb "$PGDATABASE"
}

xs_stop_server() {
	if [ -f "$XS_TMP/data/postmaster.pid" ]; then
		xs_as pg_ctl -D "$XS_TMP/data" -m immediate -s stop >/dev/null 2>&1 || true
	fi
}

xs_setup() {
	xs_begin "$@"
	xs_make_prefix
	xs_build
	xs_start_server
}
