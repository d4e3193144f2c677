# Debian's etcd (3.4) as `etcd`, and a newer one as `etcd-3.6`, built by the Go tools: its own main function, since the module's
# replace directives forbid `go install`.
etcd_version=v3.6.5
present() { command -v etcd >/dev/null && [ -x "$servers/bin/etcd-3.6" ]; }
install() {
  command -v etcd >/dev/null || apt_install etcd-server
  [ -x "$servers/bin/etcd-3.6" ] && return
  local go; go=$(go_toolchain)
  mkdir "$work/etcd" && cd "$work/etcd"
  cat >main.go <<'GO'
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
GO
  "$go" mod init wetdress.example/etcd >/dev/null 2>&1
  "$go" get "go.etcd.io/etcd/server/v3@$etcd_version" >/dev/null 2>&1
  "$go" mod tidy >/dev/null 2>&1
  CGO_ENABLED=0 "$go" build -trimpath -ldflags '-s -w' -o "$servers/bin/etcd-3.6.new" .
  mv "$servers/bin/etcd-3.6.new" "$servers/bin/etcd-3.6"
}
