# Every command of rosterctl has its help, its place in the completions, and texts of one style.
use v5.36;
use utf8;

use File::Temp ();
use Test::More;
use Roster::Tables;

my @commands = Roster::Tables::rows('ctl/commands.def', 'COMMAND');
my @options = Roster::Tables::rows('ctl/commands.def', 'OPTION');
my @global = Roster::Tables::rows('ctl/commands.def', 'GLOBAL_OPTION');

# The options of nginx's commands come from one macro.
my ($macro) = Roster::Tables::slurp("$Roster::Tables::source/src/ctl/commands.def") =~ /^#define NGINX_OPTIONS.*?\n((?:.*\\\n)*.*)\n/m;
my @nginx = $macro =~ /OPTION\(command, "([^"]+)"/g;
cmp_ok scalar @nginx, '>', 3, 'nginx has options';

my $overview = Roster::Tables::rosterctl('help');
for my $row (@commands) {
    my ($name, $words, $arguments, $least, $most, $needs, $text, $more) = @$row;
    like $overview, qr/^  \Q$words\E(?: |$)/m, "the overview has $words";
    my ($help, $status) = Roster::Tables::rosterctl('help', split / /, $words);
    is $status, 0, '... it has help';
    like $help, qr/\Q$text\E\./, '... with its text';
    my @own = map { $_->[1] } grep { $_->[0] eq $name } @options;
    push @own, @nginx if $name =~ /^nginx_(?!check)/;
    for my $option (@own, map { $_->[1] } @global) {
        like $help, qr/--\Q$option\E/, "... and with --$option";
    }
    unlike $text, qr/\.$/, '... its text has no full stop';
    like $more, qr/^$|\.$/, '... what follows is whole sentences';
    cmp_ok $least, '<=', $most, '... its numbers of arguments are in order';
    is $most > 0, length $arguments > 0, '... and go with the arguments that it shows';
}
like $_->[4], qr/\.$/, "--$_->[1] of $_->[0] has a whole sentence" for @options;

for my $shell (qw(bash zsh)) {
    my ($script, $status) = Roster::Tables::rosterctl('completion', $shell);
    is $status, 0, "there is a completion for $shell";
    for my $row (@commands) {
        for my $word (split / /, $row->[1]) {
            like $script, qr/(?<![\w-])\Q$word\E(?![\w-])/, "... it has the word $word of $row->[1]";
        }
    }
    like $script, qr/--\Q$_->[1]\E/, "... it has --$_->[1]" for @options, @global;
SKIP: {
        skip "there is no $shell", 1 if !grep { -x "$_/$shell" } split /:/, $ENV{PATH};
        my $file = File::Temp->new;
        print {$file} $script;
        $file->flush;
        is system($shell, '-n', $file->filename), 0, "... $shell can read it";
    }
}

# What bash offers.
SKIP: {
    skip 'there is no bash', 1 if !grep { -x "$_/bash" } split /:/, $ENV{PATH};
    my $file = File::Temp->new;
    print {$file} scalar Roster::Tables::rosterctl('completion', 'bash');
    print {$file} <<'END';
try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _rosterctl; echo "${COMPREPLY[*]}"; }
try rosterctl us
try rosterctl -c /dev/null user a
try rosterctl user add --r
try rosterctl user add --role ''
try rosterctl --quiet group ad
try rosterctl user role somebody a
try rosterctl directive listen_b
END
    $file->flush;
    local $ENV{PATH} = "$Roster::Tables::build:$ENV{PATH}";
    is scalar(`bash @{[$file->filename]}`), "user\nadd\n--role --random-password\npending user admin\nadd add-member\nadmin\nlisten_backlog\n", 'bash offers what fits';
}

done_testing;
