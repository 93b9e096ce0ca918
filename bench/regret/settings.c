/*
 * settings.c: the agent's settings, and their defaults, in one place.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"

/* Those of xsell.agent (sql/extension/policy.sql), pooling apart, which needs similar products. */
const Settings default_settings = {
	.oracle = "logistic",
	.strategy = "thompson",
	.posterior_scale = 0.25,
	.ucb_width = 1,
	.epsilon = 0.1,
	.epsilon_end = 0.1,
	.softmax_temperature = 0.01,
	.squarecb_gamma = 20,
	.floor = 0.02,
	.floor_end = 0.002,
	.schedule = "evidence",
	.schedule_half = 150,
	.neutral_rate = 0.05,
	.prior_strength = 20,
	.prior_precision = 5,
	.pooling = -1,
	.half_life = 0,
	.week = 1500,
	.learn_every = 1
};

/* Where a setting is: a number or a name. */
typedef struct Place
{
	const char *name;
	double	   *number;
	const char **text;
} Place;

enum
{
	NSETTINGS = 19
};

static void
places(Settings *s, Place place[NSETTINGS])
{
	const Place all[NSETTINGS] = {
		{"oracle", NULL, &s->oracle},
		{"strategy", NULL, &s->strategy},
		{"posterior_scale", &s->posterior_scale, NULL},
		{"ucb_width", &s->ucb_width, NULL},
		{"epsilon", &s->epsilon, NULL},
		{"epsilon_end", &s->epsilon_end, NULL},
		{"softmax_temperature", &s->softmax_temperature, NULL},
		{"squarecb_gamma", &s->squarecb_gamma, NULL},
		{"floor", &s->floor, NULL},
		{"floor_end", &s->floor_end, NULL},
		{"schedule", NULL, &s->schedule},
		{"schedule_half", &s->schedule_half, NULL},
		{"neutral_rate", &s->neutral_rate, NULL},
		{"prior_strength", &s->prior_strength, NULL},
		{"prior_precision", &s->prior_precision, NULL},
		{"pooling", &s->pooling, NULL},
		{"half_life", &s->half_life, NULL},
		{"week", &s->week, NULL},
		{"learn_every", &s->learn_every, NULL}
	};

	memcpy(place, all, sizeof(all));
}

bool
settings_change(Settings *settings, const char *name, const char *value)
{
	Place		place[NSETTINGS];
	char	   *end = NULL;

	places(settings, place);
	for (int i = 0; i < NSETTINGS; i++)
	{
		if (strcmp(place[i].name, name) != 0)
			continue;
		if (place[i].text != NULL)
			*place[i].text = value;
		else
		{
			*place[i].number = strtod(value, &end);
			if (end == value || *end != '\0')
				die("%s is no number: %s", name, value);
		}
		return true;
	}
	return false;
}

void
settings_print(const Settings *settings)
{
	Settings	copy = *settings;
	Place		place[NSETTINGS];
	int			width = 0;

	places(&copy, place);
	for (int i = 0; i < NSETTINGS; i++)
	{
		char		item[128];

		if (place[i].text != NULL)
			snprintf(item, sizeof(item), "%s %s", place[i].name, *place[i].text);
		else
			snprintf(item, sizeof(item), "%s %g", place[i].name, *place[i].number);
		if (i > 0)
			width += printf(",");
		if (width + (int) strlen(item) > 95)
		{
			printf("\n");
			width = 0;
		}
		width += printf("%s%s", width > 0 ? " " : "", item);
	}
	printf("\n");
}
