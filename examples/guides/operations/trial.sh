devstack --data trial --env-file trial.env &
while kill -0 $! && [ ! -e trial.env ]; do sleep 1; done
. ./trial.env
