"""One service looked after, on any substrate: demand heard, counters asked, a number decided, status made."""
