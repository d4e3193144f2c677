# Kafka from Maven Central: all jars of a broker in `kafka-VERSION`, and `bin/kafka-java`, a link to a Java of 17 or newer.
kafka_version=4.1.1
kafka_log4j=2.24.3
# The broker, and the protocol. What else they need is resolved by Maven, which checks each file against its own checksum.
kafka_sha256=e89428126cc7630a802123ba27aac4442816840b66d60670226feaff65f24fd1
kafka_clients_sha256=00247122a572c3d3ae4eb60a50192a5811bc0181f51923d13018600f892e821d

java_is_new_enough() {
  local major
  major=$("$1" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p;q')
  [ "${major:-0}" -ge 17 ]
}

present() {
  [ -e "$servers/kafka-$kafka_version/kafka_2.13-$kafka_version.jar" ] &&
    [ -x "$servers/bin/kafka-java" ] && java_is_new_enough "$servers/bin/kafka-java"
}

install() {
  kafka_java
  [ -e "$servers/kafka-$kafka_version/kafka_2.13-$kafka_version.jar" ] || kafka_jars
}

# The first Java that is new enough, or Debian's.
kafka_java() {
  local java
  for java in "${JAVA_HOME:-/nowhere}/bin/java" "$(command -v java || true)" /usr/lib/jvm/*/bin/java; do
    if [ -x "$java" ] && java_is_new_enough "$java"; then
      ln -sfn "$(readlink -f "$java")" "$servers/bin/kafka-java"
      return
    fi
  done
  apt_install openjdk-17-jre-headless
  ln -sfn "$(readlink -f /usr/lib/jvm/java-17-openjdk-*/bin/java)" "$servers/bin/kafka-java"
}

# The folder appears whole or not at all.
kafka_jars() {
  command -v mvn >/dev/null || apt_install maven
  mkdir "$work/kafka" && cd "$work/kafka"
  # Without the last two there would be no logs.
  cat >pom.xml <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>wetdress</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$kafka_version</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-core</artifactId><version>$kafka_log4j</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>$kafka_log4j</version></dependency>
  </dependencies>
</project>
POM
  mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DoutputDirectory="$work/kafka/jars"
  checksum "jars/kafka_2.13-$kafka_version.jar" "$kafka_sha256"
  checksum "jars/kafka-clients-$kafka_version.jar" "$kafka_clients_sha256"
  rm -rf "$servers/kafka-$kafka_version" "$servers/kafka-$kafka_version.new"
  cp -r jars "$servers/kafka-$kafka_version.new"
  mv "$servers/kafka-$kafka_version.new" "$servers/kafka-$kafka_version"
}
