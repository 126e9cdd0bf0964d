tenant-api blueprints preview ./clinic --locale de-AT --out previews
