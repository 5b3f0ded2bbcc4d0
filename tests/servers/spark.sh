#!/usr/bin/env bash
# Prints a Python that has Apache Spark with Delta Lake (delta-spark) and S3 (hadoop-aws), at fixed versions: a reader and
# writer of Delta tables that shares no code with us. The jars lie in Spark's own folder, so no option has to name them.
# Needs Java 17; some 700 MB are fetched the first time, which takes a minute.
#   TRIBUTARY_CACHE  where things are kept (default: ~/.cache/tributary)
. "$(dirname "$0")/ensure.sh"
spark=3.5.7 delta=3.3.2 hadoop=3.3.4

build() {
  local target=$1
  need python3 python3 python3-venv
  need mvn maven
  # a virtual environment holds its own absolute path: make it where it will stay, marked whole by the folder around it
  venv=$cache/.spark-$spark-delta-$delta.venv
  rm -rf "$venv"
  python3 -m venv "$venv" || { apt_install python3-venv && python3 -m venv "$venv"; } || die "python3 -m venv failed; install python3-venv"
  say "installing pyspark $spark and delta-spark $delta with pip"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-input setuptools wheel
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-input "pyspark==$spark" "delta-spark==$delta"
  say "resolving io.delta:delta-spark_2.12:$delta and org.apache.hadoop:hadoop-aws:$hadoop with Maven"
  cat >"$target/pom.xml" <<P
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tributary</groupId><artifactId>spark-readers</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>io.delta</groupId><artifactId>delta-spark_2.12</artifactId><version>$delta</version></dependency>
    <dependency>
      <groupId>org.apache.hadoop</groupId><artifactId>hadoop-aws</artifactId><version>$hadoop</version>
      <exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>
    </dependency>
    <dependency><groupId>com.amazonaws</groupId><artifactId>aws-java-sdk-bundle</artifactId><version>1.12.262</version></dependency>
  </dependencies>
</project>
P
  mvn -q -B -f "$target/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$target/jars"
  [ -e "$target/jars/delta-spark_2.12-$delta.jar" ] || die "Maven did not bring delta-spark_2.12-$delta.jar"
  # what Spark brings itself stays as it is
  for jar in "$target"/jars/{delta,hadoop-aws,aws-java-sdk}*.jar; do
    mv "$jar" "$("$venv/bin/python" -c 'import pyspark; print(pyspark.__path__[0])')/jars/"
  done
  rm -r "$target/jars"
  ln -s "$venv/bin/python" "$target/python"
}

need_java "Apache Spark $spark"
build_once "spark-$spark-delta-$delta" build
readlink "$cache/spark-$spark-delta-$delta/python"
