"""What deploy.sh asks of the cluster, through kubectl: whether there is room, and what comes up."""
