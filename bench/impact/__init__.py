"""What the system changes for people and servers: real behaviour replayed against four worlds."""
