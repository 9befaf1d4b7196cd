"""What the FAB auth manager reads at its start: the one api-server counts login attempts in its memory."""

RATELIMIT_STORAGE_URI = "memory://"
