# The receiver has the new secret: the old one goes.
umask 077
file=$BLUEPRINT_SECRET_DIRECTORY_FILE
sed 's/ .*//' "$file" > "$file.new"
mv "$file.new" "$file"
