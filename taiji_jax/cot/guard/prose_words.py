"""Words that reasoning uses whatever it is about, so that none is a tell."""

_WORDS = (
  # Function words.
  'about above after again against all almost alone along also although am'
  ' among and another any anything are around as at away back be because'
  ' been before being below best better between both but by can cannot could'
  ' did do does doing done down during each either else enough even ever'
  ' every everything few first for from further get gets give given gives go'
  ' goes going gone got had has have having he hence her here him his how'
  ' however if in indeed instead into is it its itself just last later'
  ' least less let like likely long made main make makes making many may'
  ' maybe me might more most much must my near nearly need needed needs'
  ' neither never new next no none nor not nothing now of off often old on'
  ' once one only onto or other others our out over own part perhaps please'
  ' quite rather re really same say says second see seem seems seen several'
  ' shall she should show shown shows since so some someone something soon'
  ' still such take takes than that their them then there therefore these'
  ' they thing things think third this those though three through thus to'
  ' together too toward towards two under unless until up upon us use used'
  ' user users uses using usually very via want wants was way ways we well'
  ' were what when where whether which while who whole whom whose why will'
  ' with within without would yet you your'
  # Words of reasoning about purchases.
  ' answer buy buyer buyers buying bought candidate candidates categories'
  ' category choice choices choose close come comes customer customers'
  ' end favour fans final fit fits follow follows good great help helps'
  ' high history interest interested item items kind kinds known large lately'
  ' list listed look looking looks low match matches mood number option'
  ' options order people person pick picks place possible prefer product'
  ' products purchase purchased purchases put reason recent recently right'
  ' sense shared sign similar simple single small start step suggest suggests'
  ' suit suits suitable sure time times title top typical work working works'
)
PROSE = frozenset(_WORDS.split())
