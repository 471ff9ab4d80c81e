//! A map bounded by bytes: least recently used out, one loader per key at a time.
