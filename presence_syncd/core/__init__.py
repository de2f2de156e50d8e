"""Pure values and functions: whose word a status is, what to show where. `now` is an argument."""
