"""What a laptop needs instead of a cluster: a real Apache Kafka and a real Valkey, started and stopped by
this project itself. The broker's jars come from Maven Central (checked against a pinned list), its Java and
the cache from Python wheels; everything listens on 127.0.0.1, keeps its files below one cache folder, and
ends when the process that started it ends, however that ends.
"""
