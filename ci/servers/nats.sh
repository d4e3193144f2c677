# The Go module proxy's checksum database vouches for the source.
present() { [ -x "$servers/bin/nats-server" ]; }
install() {
  local go; go=$(go_toolchain)
  CGO_ENABLED=0 GOBIN="$work/bin" "$go" install -trimpath -ldflags '-s -w' github.com/nats-io/nats-server/v2@v2.15.2 2>"$work/nats.log" ||
    { cat "$work/nats.log" >&2; return 1; }
  mv "$work/bin/nats-server" "$servers/bin/nats-server"
}
