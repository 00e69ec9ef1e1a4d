//! What a destination allows, tried out before a byte is moved.
