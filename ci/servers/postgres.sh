# PostgreSQL 15, without the cluster that Debian's package would start: a drill brings its own servers up. Its programs lie in
# /usr/lib/postgresql/15/bin.
present() { [ -x /usr/lib/postgresql/15/bin/postgres ] && [ -x /usr/lib/postgresql/15/bin/initdb ]; }
install() {
  # The setting must be there before the server's package is: its installation makes the cluster.
  apt_install postgresql-common
  local config=/etc/postgresql-common/createcluster.conf
  grep -q '^create_main_cluster *= *false' "$config" || echo 'create_main_cluster = false' | root tee -a "$config" >/dev/null
  apt_install postgresql-15
}
