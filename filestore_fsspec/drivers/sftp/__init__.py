"""SFTP, on sshfs and asyncssh: `driver.py` is the filesystem, the rest are its parts."""
