"""What the FAB auth manager reads at its start: one api-server process counts login attempts in its memory."""

RATELIMIT_STORAGE_URI = "memory://"
