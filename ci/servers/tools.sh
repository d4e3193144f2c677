# tshark reads captures in tests; iperf3 is the bench's yardstick.
present() { command -v tshark >/dev/null && command -v iperf3 >/dev/null; }
install() { apt_install tshark iperf3; }
