# ZooKeeper 3.8.0: Debian's package of the classes alone, which brings no daemon. They are run by the Java on PATH, or Debian's 17.
present() { [ -e /usr/share/java/zookeeper.jar ] && [ -e /usr/share/java/slf4j-simple.jar ] && command -v java >/dev/null; }
install() {
  apt_install libzookeeper-java
  command -v java >/dev/null || apt_install openjdk-17-jre-headless
}
