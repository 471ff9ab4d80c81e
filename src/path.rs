//! What a legal name is: raw bytes in, a checked relative path out.
