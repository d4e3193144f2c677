# RabbitMQ 3.10.8 on Erlang 25. Without the broker that Debian's package would start: a drill brings its own, by the program below
# /usr/lib, since the one on PATH wants to be root.
present() { [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] && command -v erl >/dev/null; }
install() { apt_install rabbitmq-server; }
