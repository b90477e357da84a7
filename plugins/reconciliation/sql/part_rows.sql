SELECT rows, verified_at FROM summa_host.verification_part WHERE part = $1
