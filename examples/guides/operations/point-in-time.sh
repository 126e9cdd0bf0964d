cat >> base/postgresql.auto.conf <<'END'
restore_command = 'cp /archive/%f %p'
recovery_target_time = '2026-11-27 08:00:00+00'
recovery_target_action = 'promote'
END
touch base/recovery.signal
