# Patroni twice: Debian's 3.0.2 (/usr/bin/patroni), and 4.1.5 from the Python index in the servers' folder. Both are run by Debian's own
# /usr/bin/python3, 3.11: the pinned wheels are of that version. They need `postgres` and an etcd.
present() { [ -x /usr/bin/patroni ] && [ -f "$servers/patroni-4.1.5/patroni/__main__.py" ]; }
install() {
  [ -x /usr/bin/patroni ] || apt_install patroni
  [ ! -f "$servers/patroni-4.1.5/patroni/__main__.py" ] || return 0
  apt_install python3-pip
  /usr/bin/python3 -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
    --target "$work/patroni" --requirement "$here/ci/servers/patroni-4.1.5.txt"
  rm -rf "$servers/patroni-4.1.5"
  mv "$work/patroni" "$servers/patroni-4.1.5"
}
