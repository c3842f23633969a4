"""What the system changes for people and servers: real behaviour replayed in five worlds."""
