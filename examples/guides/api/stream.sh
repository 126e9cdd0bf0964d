. ./functions.sh
# As they happen, behind the event at position 1. The stream has no end; here it is read for 3 seconds.
api GET /admin/events/stream --no-buffer --header 'Last-Event-ID: 1' --max-time 3 || [ $? = 28 ]
