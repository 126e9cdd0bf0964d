devstack --data trial --env-file trial.env &
until [ -e trial.env ]; do sleep 1; done
. ./trial.env
