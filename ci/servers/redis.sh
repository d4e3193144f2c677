# Debian's Redis 7.0; Sentinel is the same program under another name.
present() { command -v redis-server >/dev/null && command -v redis-sentinel >/dev/null; }
install() { apt_install redis-server redis-sentinel; }
