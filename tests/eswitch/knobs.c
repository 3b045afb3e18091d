// SPDX-License-Identifier: GPL-2.0
/* devlink resources (what can run out) and params (how the firmware is). */
#include "eswemu.h"

enum esw_param_id {
	ESW_PARAM_BASE = DEVLINK_PARAM_GENERIC_ID_MAX,
	ESW_PARAM_PROFILE,
	ESW_PARAM_LATENCY,
	ESW_PARAM_PERIOD,
	ESW_PARAM_SLOTS,
};

static const char *const esw_resource_names[ESW_RES_MAX] = {
	[ESW_RES_FLOWS]		= "flows",
	[ESW_RES_CT]		= "ct",
	[ESW_RES_COUNTERS]	= "counters",
	[ESW_RES_ENCAPS]	= "encaps",
	[ESW_RES_METERS]	= "meters",
};

bool esw_resource_take(struct esw_pf *pf, enum esw_resource_id id)
{
	return atomic_add_unless(&pf->res[id].used, 1, pf->res[id].size);
}

void esw_resource_give(struct esw_pf *pf, enum esw_resource_id id)
{
	atomic_dec(&pf->res[id].used);
}

static u64 esw_resource_occupied(void *priv)
{
	struct esw_resource *res = priv;

	return atomic_read(&res->used);
}

int esw_resources_register(struct esw_pf *pf)
{
	struct devlink_resource_size_params limits;
	int id, err;

	for (id = ESW_RES_FLOWS; id < ESW_RES_MAX; id++) {
		devlink_resource_size_params_init(&limits, 1, INT_MAX, 1,
						  DEVLINK_RESOURCE_UNIT_ENTRY);
		err = devl_resource_register(pf->devlink,
					     esw_resource_names[id],
					     pf->res[id].size, id,
					     DEVLINK_RESOURCE_ID_PARENT_TOP,
					     &limits);
		if (err) {
			devl_resources_unregister(pf->devlink);
			return err;
		}
		devl_resource_occ_get_register(pf->devlink, id,
					       esw_resource_occupied,
					       &pf->res[id]);
	}
	return 0;
}

/* A size set by the administrator holds from the next reload on. */
void esw_resources_reload(struct esw_pf *pf)
{
	u64 size;
	int id;

	for (id = ESW_RES_FLOWS; id < ESW_RES_MAX; id++)
		if (!devl_resource_size_get(pf->devlink, id, &size))
			pf->res[id].size = size;
}

static int esw_param_get(struct devlink *devlink, u32 id,
			 struct devlink_param_gset_ctx *ctx)
{
	struct esw_pf *pf = esw_pf_of_devlink(devlink);

	switch (id) {
	case ESW_PARAM_PROFILE:
		strscpy(ctx->val.vstr, pf->profile->name,
			sizeof(ctx->val.vstr));
		break;
	case ESW_PARAM_LATENCY:
		ctx->val.vu32 = pf->fdb.latency_us;
		break;
	case ESW_PARAM_PERIOD:
		ctx->val.vu32 = pf->fdb.period_ms;
		break;
	case ESW_PARAM_SLOTS:
		ctx->val.vu32 = pf->fdb.n_slots;
		break;
	default:
		return -EOPNOTSUPP;
	}
	return 0;
}

/* Rules of one profile may be more than another would have taken. */
static int esw_set_profile(struct esw_pf *pf, const char *name)
{
	int err = 0;

	mutex_lock(&pf->fdb.lock);
	if (list_empty(&pf->fdb.rules))
		WRITE_ONCE(pf->profile, esw_profile_by_name(name));
	else
		err = -EBUSY;
	mutex_unlock(&pf->fdb.lock);
	return err;
}

static void esw_set_slots(struct esw_fdb *fdb, u32 n)
{
	for (; fdb->n_slots < n; fdb->n_slots++)
		up(&fdb->slots);
	for (; fdb->n_slots > n; fdb->n_slots--)
		down(&fdb->slots);
}

static int esw_param_set(struct devlink *devlink, u32 id,
			 struct devlink_param_gset_ctx *ctx)
{
	struct esw_pf *pf = esw_pf_of_devlink(devlink);

	switch (id) {
	case ESW_PARAM_PROFILE:
		return esw_set_profile(pf, ctx->val.vstr);
	case ESW_PARAM_LATENCY:
		WRITE_ONCE(pf->fdb.latency_us, ctx->val.vu32);
		break;
	case ESW_PARAM_PERIOD:
		WRITE_ONCE(pf->fdb.period_ms, ctx->val.vu32);
		/* The next snapshot need not wait for the old period. */
		mod_delayed_work(esw_wq, &pf->fdb.snapshot,
				 msecs_to_jiffies(ctx->val.vu32));
		break;
	case ESW_PARAM_SLOTS:
		esw_set_slots(&pf->fdb, ctx->val.vu32);
		break;
	default:
		return -EOPNOTSUPP;
	}
	return 0;
}

static int esw_param_validate(struct devlink *devlink, u32 id,
			      union devlink_param_value val,
			      struct netlink_ext_ack *extack)
{
	switch (id) {
	case ESW_PARAM_PROFILE:
		if (esw_profile_by_name(val.vstr))
			return 0;
		NL_SET_ERR_MSG_MOD(extack, "The profiles are mlx5, ice and nfp");
		return -EINVAL;
	case ESW_PARAM_LATENCY:
		if (val.vu32 <= USEC_PER_SEC)
			return 0;
		NL_SET_ERR_MSG_MOD(extack, "At most a second");
		return -EINVAL;
	case ESW_PARAM_PERIOD:
		if (val.vu32 >= 10 && val.vu32 <= 60 * MSEC_PER_SEC)
			return 0;
		NL_SET_ERR_MSG_MOD(extack, "From 10 to 60000 milliseconds");
		return -EINVAL;
	default:
		if (val.vu32 >= 1 && val.vu32 <= 64)
			return 0;
		NL_SET_ERR_MSG_MOD(extack, "From 1 to 64");
		return -EINVAL;
	}
}

#define ESW_PARAM(id, name, type)					\
	DEVLINK_PARAM_DRIVER(id, name, DEVLINK_PARAM_TYPE_##type,	\
			     BIT(DEVLINK_PARAM_CMODE_RUNTIME),		\
			     esw_param_get, esw_param_set, esw_param_validate)

static const struct devlink_param esw_params[] = {
	ESW_PARAM(ESW_PARAM_PROFILE, "profile", STRING),
	ESW_PARAM(ESW_PARAM_LATENCY, "insert_latency_us", U32),
	ESW_PARAM(ESW_PARAM_PERIOD, "stats_period_ms", U32),
	ESW_PARAM(ESW_PARAM_SLOTS, "command_slots", U32),
};

int esw_params_register(struct esw_pf *pf)
{
	return devlink_params_register(pf->devlink, esw_params,
				       ARRAY_SIZE(esw_params));
}

void esw_params_unregister(struct esw_pf *pf)
{
	devlink_params_unregister(pf->devlink, esw_params,
				  ARRAY_SIZE(esw_params));
}
