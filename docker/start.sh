# Make the user who owns the mounted folder /data, then run the server.
set -eu
useradd --no-create-home --home-dir /data --shell /bin/sh --uid "$OWNER" "$SERVER_USER"
echo "$SERVER_USER:$SERVER_PASSWORD" | chpasswd
exec "$@"
