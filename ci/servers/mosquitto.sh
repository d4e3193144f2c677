# Debian's Mosquitto 2.0. It lies where only root looks for programs, so the folder of servers names it too.
present() { [ -x "$servers/bin/mosquitto" ]; }
install() { apt_install mosquitto && ln -sf /usr/sbin/mosquitto "$servers/bin/mosquitto"; }
