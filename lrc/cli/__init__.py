"""The commands: what the user typed becomes a call, and what it says becomes a line."""
