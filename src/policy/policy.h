/*
 * policy.h: an agent's policy as decisions use it.
 *
 * A policy is read from one row of xsell.policy (definition.c) and needs no
 * catalog to be understood: layout, arms and parameters are in it, so that a
 * logged decision can be replayed under the version that made it.  Deciding for
 * a customer row needs its expressions compiled too: that is an XsProgram.
 */
#ifndef XS_POLICY_H
#define XS_POLICY_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "utils/date.h"
#include "utils/jsonb.h"

#include "../model/explore.h"
#include "../model/oracle.h"
#include "../model/schedule.h"

/* What an expression must yield. */
typedef enum XsResult
{
	XS_RESULT_BOOLEAN,
	XS_RESULT_NUMBER,			/* float8 */
	XS_RESULT_TEXT,
	XS_RESULT_FEATURE,			/* boolean, float8 or text, see XsFeatureKind */
	XS_RESULT_KEY				/* the journal's key type */
} XsResult;

/* Names an expression may use besides the customer's columns; decides how often it is compiled. */
#define XS_USES_PRODUCT 1
#define XS_USES_CHANNEL 2
#define XS_USES_ARM (XS_USES_PRODUCT | XS_USES_CHANNEL)

typedef struct XsExpression
{
	const char *text;
	const char *what;			/* for messages: rule "adult" */
	XsResult	result;
	int			number;			/* position among the policy's expressions */
	int			uses;			/* of XS_USES_*, by its text */
	List	   *reads;			/* what it reads of a call: COLUMN, market.NAME, context.KEY */
} XsExpression;

/* How a call is made; a channel may be meant for one of them. */
#define XS_MODE_REALTIME 1
#define XS_MODE_BATCH 2
#define XS_MODE_BOTH (XS_MODE_REALTIME | XS_MODE_BATCH)

/* When something holds; until is exclusive. */
typedef struct XsValidity
{
	TimestampTz from;			/* DT_NOBEGIN if always */
	TimestampTz until;			/* DT_NOEND if always */
} XsValidity;

#define XS_VALID_AT(validity, now) ((now) >= (validity).from && (now) < (validity).until)

/* Which arms something is about. */
typedef struct XsBinding
{
	bool		all_offers;
	const bool *offers;			/* by index, if not all */
	int			channel;		/* index, or -1 for all */
} XsBinding;

#define XS_BINDS(binding, o, c) \
	(((binding).all_offers || ((o) >= 0 && (binding).offers[o])) && ((binding).channel < 0 || (binding).channel == (c)))

typedef struct XsOffer
{
	const char *product;
	Jsonb	   *attributes;
	bool		active;
	XsValidity	valid;
	double		max_share;		/* 1: no limit */
	bool		has_window;		/* else that of the channel holds */
	Interval	observation_window;
	double		prior_rate;		/* believed where there is no propensity */
	double		prior_strength;
	double		ramp_share;		/* of the decisions at most, at first; 1: no ramp */
	double		ramp_until;		/* learned decisions until it is as any other */
	int			group;			/* similar products share it; -1: similar to none */
	XsExpression *propensity;	/* each NULL if not given */
	XsExpression *value;
	XsExpression *lever;
	XsExpression *cost;
	XsExpression *held;
	const char *score;			/* identity of the propensity: its version, else its text; or NULL */
} XsOffer;

typedef struct XsChannel
{
	const char *channel;
	Jsonb	   *attributes;
	XsExpression *consent;
	bool		opt_in;
	const char *purpose;
	int			modes;			/* of XS_MODE_* */
	int			default_for;	/* likewise */
	bool		has_quiet_hours;
	TimeADT		quiet_from;
	TimeADT		quiet_until;
	XsExpression *time_zone;	/* NULL: UTC */
	Interval	observation_window;
	bool		reports_delivery;
} XsChannel;

typedef enum XsFeatureKind
{
	XS_FEATURE_UNKNOWN,			/* not compiled yet */
	XS_FEATURE_BOOLEAN,
	XS_FEATURE_NUMERIC,
	XS_FEATURE_TEXT
} XsFeatureKind;

typedef struct XsFeature
{
	const char *feature;
	XsExpression *expression;
	XsFeatureKind kind;
	double		center;
	double		scale;
	double		clip;
	int			nlevels;
	const char **levels;
	int			column;			/* first of its columns */
	int			ncolumns;
} XsFeature;

typedef struct XsRule
{
	const char *rule;
	XsBinding	binding;
	XsExpression *expression;
	XsValidity	valid;
} XsRule;

typedef enum XsEngaged
{
	XS_ENGAGED_NOTHING,
	XS_ENGAGED_RESET,			/* offers before the last engagement do not count */
	XS_ENGAGED_RELAX			/* another limit holds */
} XsEngaged;

typedef struct XsCap
{
	const char *cap;
	XsBinding	binding;
	int			max_offers;
	Interval	per;
	XsEngaged	engaged;
	int			relaxed_offers;
} XsCap;

typedef struct XsQuiet
{
	const char *quiet;
	int			channel;		/* index, or -1 for all together */
	int			after_ignored;
	Interval	pause;
} XsQuiet;

typedef struct XsCooldown
{
	const char *cooldown;
	int			offer;			/* index, or -1 for each */
	const char *outcome;
	Interval	lasts;
} XsCooldown;

typedef enum XsAction
{
	XS_ACTION_BLOCK,
	XS_ACTION_FORCE,
	XS_ACTION_BOOST
} XsAction;

typedef struct XsOverride
{
	const char *override;
	XsAction	action;
	int			offer;
	int			channel;		/* index, or -1 for all */
	XsExpression *expression;
	double		factor;
	TimestampTz expires;
} XsOverride;

/* What outcomes mean for the contact policy. */
typedef struct XsKind
{
	const char *outcome;
	bool		engagement;
} XsKind;

/* An indicator's values over time, by when each begins. */
typedef struct XsIndicator
{
	const char *indicator;
	Oid			type;			/* text, numeric or boolean */
	int			n;
	TimestampTz *since;
	Datum	   *value;
	bool	   *isnull;
} XsIndicator;

/* Which oracles may predict an offer's reward. */
typedef enum XsOracleChoice
{
	XS_CHOICE_BETA,
	XS_CHOICE_SEGMENT,
	XS_CHOICE_FEATURES,			/* linear or logistic */
	XS_CHOICE_AUTO				/* beta, segment or logistic, whichever its evidence supports */
} XsOracleChoice;

typedef struct XsPolicy
{
	MemoryContext context;
	const char *agent;
	int32		version;

	/* parameters */
	const char *customer_table; /* qualified name */
	XsExpression *customer_key;
	bool		paused;
	bool		draft;
	XsOracleChoice choice;
	const XsOracle *oracle;		/* the one with features, if choice allows one; else the only one */
	const XsStrategy *strategy;
	XsExploration exploration;	/* epsilon, floor and gamma are resolved per decision, see xs_exploration */
	XsSchedule	epsilon;
	XsSchedule	floor;
	TimestampTz schedule_since;
	double		squarecb_gamma;
	XsPrior		prior;			/* the agent's; rate, strength, uses_propensity and trust are set per offer */
	double		pooling;		/* share of the prior variance that similar products have in common */
	int			ngroups;
	double		half_life;		/* of evidence, in days; 0: none */
	double		evidence_window;	/* days of evidence that count; 0: all */
	double		learning_rate;	/* what an observation counts for */
	int			nteaches;		/* sources of evidence that count */
	char	  **teaches;
	double		harm_price;		/* of a harm of 1, in the unit of value */
	double		harm_rate;		/* believed before evidence */
	XsExpression *segment;		/* NULL if not given */
	double		control_share;
	int64		seed;
	XsExpression *routing;		/* NULL if not given */
	XsExpression *fallback;
	int			top_n;			/* 0: all compete */
	double		explore_below;

	/* arm = offer * nchannels + channel */
	int			noffers;
	XsOffer    *offers;
	bool		has_ramps;		/* of any of them */
	int			nchannels;
	XsChannel  *channels;

	/* in the order of columns: those that are the same for all arms first */
	int			nfeatures;
	XsFeature  *features;
	int			nrules;			/* in the order of evaluation */
	XsRule	   *rules;
	int			ncaps;
	XsCap	   *caps;
	int			nquiets;
	XsQuiet    *quiets;
	int			ncooldowns;
	XsCooldown *cooldowns;
	int			noverrides;
	XsOverride *overrides;
	int			nkinds;
	XsKind	   *kinds;
	bool		needs_responses;	/* the contact policy asks what became of contacts */
	int			nindicators;
	XsIndicator *indicators;

	int			nexpressions;
	XsExpression **expressions;

	/* layout of the feature vector: intercept, features, propensity */
	int32		encoding;
	int			dim;
	int			ntail;			/* last columns, which may differ between arms */
} XsPolicy;

#define XS_NARMS(policy) ((policy)->noffers * (policy)->nchannels)
#define XS_ARM_OFFER(policy, arm) (&(policy)->offers[(arm) / (policy)->nchannels])
#define XS_ARM_CHANNEL(policy, arm) (&(policy)->channels[(arm) % (policy)->nchannels])
#define XS_MAX_ARMS 4096

/* definition.c: a definition (jsonb) read into its own memory context */
extern XsPolicy *xs_policy_read(const char *agent, int32 version, Jsonb *definition);
extern int	xs_policy_offer(const XsPolicy *policy, const char *product);	/* -1: none */
extern int	xs_policy_channel(const XsPolicy *policy, const char *channel);
extern bool xs_policy_learns_from(const XsPolicy *policy, const char *source);
extern int	xs_policy_indicator(const XsPolicy *policy, const char *indicator);

/* layout.c: columns of the feature vector */
extern void xs_layout(XsPolicy *policy);
extern const char *xs_column_name(const XsPolicy *policy, int column);
extern const char *xs_feature_kind_name(XsFeatureKind kind);
extern XsFeatureKind xs_feature_kind(const char *name);

/* expression.c: fills uses and reads from the text */
extern void xs_expression_scan(XsExpression *expression);

#endif
