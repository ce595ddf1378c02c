"""What a person is told: facts in, sentences out. Pure: no clock, no cluster, no terminal."""
