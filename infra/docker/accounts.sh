#!/bin/sh
# accounts.sh: gives MinIO an uploader and an auditor with the policies of infra/iam, filled in for
# BUCKET and PREFIX (empty, or ending with a slash). Run again it changes nothing but the secrets.
# It reaches the server as MC_HOST_store says; secrets go by stdin, for arguments can be seen.
set -eu

for role in uploader auditor; do
    case $role in
        uploader) secret=$UPLOADER_SECRET ;;
        auditor) secret=$AUDITOR_SECRET ;;
    esac
    sed -e "s|BUCKET|$BUCKET|g" -e "s|PREFIX/|$PREFIX|g" "/etc/holdfast/iam/$role.json" > "/tmp/$role.json"
    mc admin policy create store "$role" "/tmp/$role.json"
    printf '%s\n%s\n' "$role" "$secret" | mc admin user add store
    mc admin policy attach store "$role" --user "$role"
done
