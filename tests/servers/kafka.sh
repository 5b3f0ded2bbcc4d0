#!/usr/bin/env bash
# Prints the folder that holds the jars of Apache Kafka (KRaft), for `java -cp "<folder>/*" kafka.Kafka`.
# Needs Java 17 or newer; Maven resolves the jars.
#   TRIBUTARY_KAFKA_VERSION  3.9 (default, the one that docker-compose.yml pins) or 4
#   TRIBUTARY_CACHE          where things are kept (default: ~/.cache/tributary)
. "$(dirname "$0")/ensure.sh"
case ${TRIBUTARY_KAFKA_VERSION:-3.9} in
  3.9) version=3.9.1 ;;
  4) version=4.4.0 ;;
  *) die "TRIBUTARY_KAFKA_VERSION is \`$TRIBUTARY_KAFKA_VERSION\`; write 3.9 or 4" ;;
esac

resolve() {
  local target=$1
  need mvn maven
  say "resolving org.apache.kafka:kafka_2.13:$version with Maven"
  cat >"$target/pom.xml" <<P
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tributary</groupId><artifactId>kafka-server</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-reload4j</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
P
  mvn -q -B -f "$target/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$target/libs"
  [ -e "$target/libs/kafka_2.13-$version.jar" ] || die "Maven did not bring kafka_2.13-$version.jar"
}

need_java "Apache Kafka $version"
build_once "kafka-$version" resolve
echo "$cache/kafka-$version/libs"
