SELECT rows FROM summa_host.verification_part WHERE part = $1
