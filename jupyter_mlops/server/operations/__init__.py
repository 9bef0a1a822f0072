"""Operations: what was asked for and takes a while."""
